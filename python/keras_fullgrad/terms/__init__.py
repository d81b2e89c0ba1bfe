"""The terms of a logit: collected in a forward pass, differentiated, added up and checked."""
