"""Every kind of store, played by emulators; see ``docs/stores.md`` for what only the real ones can show."""
