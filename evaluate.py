"""Score with a stored model: `python evaluate.py --help`."""

if __name__ == "__main__":
    # Imported here because the processes of an import run this file too, and need nothing of it.
    from brain_cae.cli.commands import evaluate_command

    evaluate_command()
