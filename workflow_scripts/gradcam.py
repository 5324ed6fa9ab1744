"""Where the original and models that were made to forget look, in pictures of what is forgotten and
of what is kept."""

import torch
from regrowth.classify import SOURCES, gradcam, networks
from regrowth.classify.data import used
from regrowth.classify.parts import placed
from regrowth.files.store import read_arrays, read_frame
from regrowth.run import classroom, compute
from regrowth.show.figures.style import save
from regrowth.show.gradcam import Looked
from regrowth.show.gradcam import gradcam as drawn

classroom.start(snakemake)
compute.use_threads(snakemake.threads)
told = snakemake.params
pictures, device = used(snakemake.input.pictures), compute.device()
parts = placed(read_frame(snakemake.input.parts), pictures.places)
places = gradcam.some(parts, pictures.labels, told.each)
images = torch.from_numpy(pictures.images[places]).to(device).float() / 255
labels = torch.from_numpy(pictures.labels[places]).to(device)
names = SOURCES[told.kind].classes
rows = []
for name, file in zip(told.names, snakemake.input.weights):
    network = networks.restored(told.network, read_arrays(file)).to(device)
    with torch.no_grad():
        taken = network(images).argmax(1).tolist()
    called = [names[label] if label < len(names) else "none" for label in taken]
    rows.append(Looked(name, gradcam.maps(network, images, labels).cpu().numpy(), called))
titles = [f"{parts[place]}: {names[pictures.labels[place]]}" for place in places]
save(drawn(images.cpu().numpy(), titles, rows), snakemake.output[0])
