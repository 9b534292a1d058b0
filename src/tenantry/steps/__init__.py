"""The conversion, one module per concern. Each yields steps for what the catalog does not have yet."""
