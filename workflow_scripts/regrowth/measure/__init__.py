"""From raw scores to rates, intervals, verdicts and the tables of the paper."""
