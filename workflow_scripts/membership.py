"""Of each forgotten picture, whether it is taken for one never seen, by each feature; and
of tests of a forgotten class and of each other one, whether they are told apart."""

import numpy as np
import pandas as pd
from regrowth.classify import membership, neighbours
from regrowth.classify.gaps import BESIDE
from regrowth.files.store import read_frame, write_frame
from regrowth.run import classroom

study, _ = classroom.start(snakemake)
rows = read_frame(snakemake.input.predictions)
told = read_frame(snakemake.input.parts).set_index("picture")["part"]
parts, labels = told.loc[rows["picture"]].to_numpy(), rows["class"].to_numpy()
logits = np.stack(rows["logits"].to_numpy())
pictures, found = rows["picture"][parts == "forget"], []
for name in snakemake.params.features if np.isfinite(logits).all() else []:
    unseen = membership.unseen(name, parts, logits, labels)
    found.append(pd.DataFrame({"picture": pictures, "feature": name, "unseen": unseen}))
if found:
    for label, (tests, right) in neighbours.standing_out(parts, logits, labels).items():
        row = {"picture": rows["picture"].to_numpy()[tests], "feature": f"{BESIDE}{label}"}
        found.append(pd.DataFrame(row | {"unseen": right}))
nothing = pd.DataFrame({"picture": [], "feature": [], "unseen": []})
write_frame(
    snakemake.output[0], pd.concat(found, ignore_index=True) if found else nothing, study=study
)
