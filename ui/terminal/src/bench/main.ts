import { mount } from 'svelte'
import '../../../shared/tokens.css'
import '../bench.css'
import Bench from './Bench.svelte'

mount(Bench, { target: document.getElementById('app')! })
