"""Score with a stored model: `python evaluate.py --help`."""

from brain_cae.cli.commands import evaluate_command

if __name__ == "__main__":
    evaluate_command()
