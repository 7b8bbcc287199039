"""The actions of the service, each a function of one call."""
