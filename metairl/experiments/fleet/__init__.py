"""Many runs, side by side: on one machine's cores, or on those of a cluster."""
