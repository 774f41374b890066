import os
import signal

# The models of the tests are tiny: on a busy machine several threads mostly wait for each other. Set before anything
# imports torch or numpy, and inherited by the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A shell starts what runs in the background with Ctrl-C ignored, and processes inherit that: then nothing in the tests
# could be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)
