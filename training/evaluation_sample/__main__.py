"""``python -m training.evaluation_sample``: generate the stored sample anew."""

from training.evaluation_sample import main

main()
