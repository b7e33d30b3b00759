"""Networks (plain ``nn.Module``) and their training (Lightning)."""
