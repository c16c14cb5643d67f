"""A stand-in for the SiliconFlow video API: free, with the faults of the real one and a ledger of what was billed."""
