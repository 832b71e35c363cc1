"""Reports to hand in: written from a run's files alone, and checked against them again by whoever receives one."""
