"""A classifier that was made to forget, or was never told."""

from regrowth.classify import UNLEARNERS, networks
from regrowth.classify.data import used
from regrowth.classify.lesson import lesson
from regrowth.classify.parts import placed
from regrowth.classify.split import check, number
from regrowth.files.store import read_arrays, read_frame, write_arrays
from regrowth.learn.passed import Passed
from regrowth.run import classroom, compute

classroom.start(snakemake)
compute.use_threads(snakemake.threads)
told, device, seed = snakemake.params, compute.device(), int(snakemake.wildcards.seed)
pictures = used(snakemake.input.pictures)
before, parts = (
    placed(read_frame(file), pictures.places)
    for file in (snakemake.input.before, snakemake.input.parts)
)
check(before, parts)
given = lesson(pictures, parts, told.network, told.augment, device, seed)
if original := snakemake.input.get("original"):
    network = networks.restored(told.network, read_arrays(original)).to(device)
else:
    new = told.network, given.classes, given.retain.images, number("retrain", seed)
    network = networks.new(*new, classroom.beginning(snakemake)).to(device)
passed = Passed(network)
facts = UNLEARNERS[told.unlearner["kind"]].run(network, given, told.unlearner)
write_arrays(snakemake.output[0], networks.state(network), facts=facts, **passed.told())
