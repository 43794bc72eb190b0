"""Documents for people to read. Strings come out; nothing here prints."""
