import os

# The models of the tests are tiny: on a busy machine several threads mostly wait for each other. Set before anything
# imports torch or numpy, and inherited by the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
