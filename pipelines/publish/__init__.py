"""Stage 5, publish: findings become files that people use, hashed, with the manifest last."""
