"""Keys and sealed content: nothing of what is stored is known here, only bytes, names and who may open them."""
