"""What several suites need to train something; imports torch, so only running trials import it."""
