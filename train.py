"""Import, train, evaluate and report in one command: `python train.py --help`."""

from brain_cae.cli.commands import train_command

if __name__ == "__main__":
    train_command()
