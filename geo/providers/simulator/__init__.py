"""Provider `simulator`: a seeded construction site with a known truth; nothing in it was ever seen by a satellite."""
