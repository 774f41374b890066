"""The stages of the pipeline, in order."""

from bertpipe.pipeline.stage import Stage
from bertpipe.stages.corpus import CORPUS
from bertpipe.stages.embed import EMBED
from bertpipe.stages.finetune import FINETUNE
from bertpipe.stages.index import INDEX
from bertpipe.stages.pretrain import PRETRAIN
from bertpipe.stages.snapshot import SNAPSHOT
from bertpipe.stages.tokenize import TOKENIZE

STAGES: tuple[Stage, ...] = (CORPUS, SNAPSHOT, TOKENIZE, PRETRAIN, FINETUNE, EMBED, INDEX)
