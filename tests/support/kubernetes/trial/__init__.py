"""`make k8s-try`: the rendered gateway pod in podman, with a payment under way when it is told to stop."""
