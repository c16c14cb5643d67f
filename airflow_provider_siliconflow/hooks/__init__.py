"""Talk to the SiliconFlow API over HTTP."""
