"""What each line of a text costs a model, and what each item, word or character does."""
