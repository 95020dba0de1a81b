"""Pictures of numbers: data in, HTML or text out. Nothing here prints or knows a model."""
