"""What people see: plans, progress, words and numbers."""
