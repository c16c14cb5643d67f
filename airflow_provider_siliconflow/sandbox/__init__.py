"""A stand-in for the SiliconFlow video API: free, as unkind as the real one, and keeping a ledger of what was billed."""
