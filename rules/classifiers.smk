# A study of classifiers, told by `kind: classifiers`: data, training, unlearning, attacks, tables.
from regrowth.classify import FEATURES, study as classifiers
from regrowth.classify.shadows import MARK
from regrowth.files import keys
from regrowth.files.digests import DIGESTS, file_digest
from regrowth.files.provenance import versions
from regrowth.run import classroom

try:
    CLASSES = classroom.planned(dict(config), ROOT, workflow.is_main_process, PARTIAL)
except Refused as error:
    raise WorkflowError(str(error)) from None
STUDY, OUT, ENV = CLASSES.study, CLASSES.out, "../envs/regrowth.yaml"
config.update(STUDY.model_dump(mode="json"))
#: Tables of what is there go elsewhere (rules/upkeep.smk).
MADE = str(Path(PARTIAL).parent) if PARTIAL else OUT
CELLS, RELEARNT, SHADOWED = CLASSES.cells, CLASSES.relearnt, CLASSES.shadowed
SPLIT = keys.pattern(classifiers.RELEASED[:2])
MODEL, CELL = keys.pattern(classifiers.RELEASED), keys.pattern(classifiers.KEYS)
TABLES = ["rates", "gaps", "spread", "neighbours", *(["relearning"] if RELEARNT else []), "printed"]
TABLES += ["choices"] if STUDY.choices else []
TABLES += ["paired"] if STUDY.against else []
TABLES += ["shadowed"] if SHADOWED else []
TABLES += ["missing"] if PARTIAL else []


wildcard_constraints:
    split=rf"\d+({MARK}\d+)?",
    concept="[a-z0-9-]+",
    unlearner="[a-z0-9-]+",
    seed=r"\d+",
    attack="[a-z0-9-]+",
