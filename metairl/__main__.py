import sys

from metairl.cli import main

sys.exit(main())
