"""The original: a classifier trained on every picture, those that are to be forgotten too."""

import torch
from regrowth.classify import networks, train
from regrowth.classify.data import used
from regrowth.classify.lesson import taught
from regrowth.classify.parts import placed
from regrowth.classify.split import number
from regrowth.files.store import read_frame, write_arrays
from regrowth.learn.passed import Passed
from regrowth.run import classroom, compute

classroom.start(snakemake)
compute.use_threads(snakemake.threads)
told, device = snakemake.params, compute.device()
pictures = used(snakemake.input.pictures)
parts = placed(read_frame(snakemake.input.parts), pictures.places)
lesson = taught(pictures, parts == "retain", device, told.training["augment"])
seed = number("train", int(snakemake.wildcards.seed))
start = classroom.beginning(snakemake)
network = networks.new(told.network, pictures.classes, lesson.images, seed, start).to(device)
passed = Passed(network)
train.fit(network, lesson, told.training, torch.Generator().manual_seed(seed))
write_arrays(snakemake.output[0], networks.state(network), **passed.told())
