"""What shadow models tell of each forgotten picture, and of pictures like it that no model saw."""

import numpy as np
import pandas as pd
import torch
from regrowth.classify import networks, shadows, train, u_lira
from regrowth.classify.apollo import apollo
from regrowth.classify.data import used
from regrowth.classify.lesson import taught
from regrowth.classify.parts import placed
from regrowth.files.store import read_arrays, read_frame, write_frame
from regrowth.run import classroom, compute

#: Pictures that walk together.
BATCH = 256

study, _ = classroom.start(snakemake)
compute.use_threads(snakemake.threads)
told, given, device = snakemake.params, snakemake.input, compute.device()
pictures, split = used(given.pictures), int(snakemake.wildcards.split)
before, after = (placed(read_frame(f), pictures.places) for f in (given.before, given.after))
members, others = shadows.candidates(before, after)
asked = members | others
some = taught(pictures, asked, device)
target, *made = (
    networks.restored(told.network, read_arrays(file)).to(device)
    for file in (given.target, *given.shadows)
)
inside = np.stack([shadows.half(before, split, n)[asked] for n in range(len(made))])
labels = some.labels.cpu().numpy()
own, theirs = (
    u_lira.confidence(np.stack([train.logits(one, some) for one in of]), labels)
    for of in ([target], made)
)
found = {"picture": pictures.places[asked], "member": members[asked]}
found["ratio"] = u_lira.log_ratio(own[0], theirs, inside)
walked = []
for rows, (images, own_labels) in zip(torch.arange(len(some)).split(BATCH), some.batches(BATCH)):
    learnt = torch.from_numpy(inside[:, rows.numpy()]).to(device)
    walked.append(pd.DataFrame(apollo(target, made, images, own_labels, learnt, told.apollo)))
frame = pd.concat([pd.DataFrame(found), pd.concat(walked, ignore_index=True)], axis=1)
write_frame(snakemake.output[0], frame, study=study)
