"""How well a trained model does on data with the right answers: scores, and what helps to understand them."""
