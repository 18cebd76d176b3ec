B
Identity:0Jo	A>емV>ъ5f>┴Ha>>╦ >