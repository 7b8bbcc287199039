"""What holds for all tests: the region is nobody's own."""

import os

for _name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
    os.environ.pop(_name, None)
