"""The methods that learn skills and tasks; `interface` says what a method is."""
