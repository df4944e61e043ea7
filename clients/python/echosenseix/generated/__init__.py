"""What follows from the OpenAPI document: the types of its JSON and a method for each operation."""
