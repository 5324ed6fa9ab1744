"""The four ways to complete a layer; each module is one, on a `problem.Problem`."""
