"""A stand-in for the SiliconFlow video API: free, as unkind as the real one, with a ledger of what was billed."""
