"""Import, train, evaluate and report in one command: `python train.py --help`."""

if __name__ == "__main__":
    # Imported here because the processes of an import run this file too, and need nothing of it.
    from brain_cae.cli.commands import train_command

    train_command()
