import sys

from metairl.cli.main import main

sys.exit(main())
