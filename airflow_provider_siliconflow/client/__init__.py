"""The HTTP API as pure data: no sockets, no clocks."""
