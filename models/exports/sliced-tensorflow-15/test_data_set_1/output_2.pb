BIdentity_2:0JT¿3J*¿
[ê¾