"""Pictures of numbers: data in, HTML out. Nothing here prints, trains or knows a model."""
