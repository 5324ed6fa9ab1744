"""What a checkpoint's weights tell of it."""

import json

from regrowth.audit.card import card
from regrowth.files.digests import DIGESTS, file_digest
from regrowth.files.store import write_text
from regrowth.run import audits, compute
from regrowth.run.job import start

start(snakemake)
compute.use_threads(snakemake.threads)
told = snakemake.params
given, base = audits.opened(told.asked)
found = card(given, base, compute.device()) | {"concept": told.asked.concept}
digests = {str(file): file_digest(file, DIGESTS) for file in given.files}
found["provenance"] = {"sha256": digests, "versions": told.versions, "code": told.code}
write_text(snakemake.output[0], json.dumps(found, indent=1))
