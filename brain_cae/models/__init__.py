"""Networks (plain ``nn.Module``) and how they learn (Lightning)."""
