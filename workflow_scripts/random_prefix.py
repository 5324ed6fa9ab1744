"""Words before a prompt that nobody looked for: the control of those that were found."""

from regrowth.attack import prefix
from regrowth.files.store import write_arrays
from regrowth.models import vocabulary
from regrowth.run.job import start
from regrowth.study.young import names_adults

job, told = start(snakemake), snakemake.params
tokenizer = vocabulary.load(job.model)
free = vocabulary.free(tokenizer, told.forbidden, names_adults)
tokens = int(snakemake.wildcards.tokens)
prompts = [target for _, target in told.pairs]
made = prefix.at_random(tokenizer, free, tokens, told.seed, prompts, names_adults)
write_arrays(snakemake.output[0], made)
