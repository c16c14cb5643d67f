"""One paid video as an object, and lists of such: re-attach, submit, poll, archive."""
