"""`python -m archbudget` is the command line."""

import sys

from archbudget.cli import main

sys.exit(main())
