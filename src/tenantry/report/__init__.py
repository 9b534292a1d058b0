"""Results as text and other formats. Pure: values in, text out."""
