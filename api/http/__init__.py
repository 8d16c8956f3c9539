"""The HTTP room: requests in, the contract's answers out. Nothing here decides what is true."""
